// The stored choice of light or dark, before anything is drawn. Without one the system decides.
const chosen = localStorage.getItem("theme");
if (chosen) document.documentElement.dataset.theme = chosen;
