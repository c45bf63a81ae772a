"""The tests. A package, so that helpers have one address whatever else is called `tests` among the installed."""
