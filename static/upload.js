// Uploading with a progress bar. Without this file the form posts by itself and all works the same.
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-upload]");
  const file = form?.querySelector("input[type=file]")?.files[0];
  if (!file) return;
  event.preventDefault();
  const bar = form.querySelector("progress");
  const said = form.querySelector("[role=status]");
  const button = form.querySelector("button");
  const limit = Number(form.dataset.limit);
  const megabytes = (bytes) => (bytes / 1048576).toFixed(1);
  if (file.size > limit) {
    said.textContent = `This file has ${megabytes(file.size)} MB; at most ${megabytes(limit)} MB are taken.`;
    return;
  }
  const request = new XMLHttpRequest();
  request.open("POST", form.dataset.api);
  request.upload.onprogress = (sent) => {
    bar.max = sent.total;
    bar.value = sent.loaded;
    said.textContent = `${megabytes(sent.loaded)} of ${megabytes(sent.total)} MB sent`;
  };
  const fail = (text) => {
    said.textContent = text;
    button.disabled = false;
    bar.hidden = true;
  };
  request.onerror = () => fail("The connection broke. Nothing was imported; send it again.");
  request.onload = () => {
    let answer = {};
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      /* a proxy's page: the status says enough */
    }
    if (request.status < 300 && answer.url) location.assign(answer.url);
    else fail([answer.detail || `The server answered ${request.status}.`, answer.remedy].filter(Boolean).join(" "));
  };
  bar.hidden = false;
  button.disabled = true;
  request.send(new FormData(form));
});
