"""Addresses of the site -> files of its copy, and how one page of the copy names another. Pure.

`/runs/x` is the file `runs/x/index.html`, so that a server of files shows it at its old address.
"""

from urllib.parse import quote, unquote, urlsplit

LONGEST = 240  # bytes of a name; file systems end at 255


def file_of(path: str) -> str | None:
    """The file of a page's or a static file's path; None where no file can have that name, or it would lie elsewhere."""
    parts = [unquote(part, errors="surrogateescape") for part in path[1:].split("/")] if path != "/" else []
    if not all(_is_name(part) for part in parts):
        return None
    if parts and parts[0] == "static":
        return "/".join(parts)
    return "/".join([*parts, "index.html"])


def relative(to: str, page: str) -> str:
    """How the page in the file `page` names the file `to`: a directory by its name with a slash."""
    up = "../" * page.count("/")
    target = to.removesuffix("index.html")
    return (up + quote(target)) or "./"


def own_path(address: str) -> str | None:
    """The path of an address within the site, without query; None for other sites, other schemes and fragments alone."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or not parts.path.startswith("/"):
        return None
    return parts.path


def _is_name(part: str) -> bool:
    try:
        size = len(part.encode())
    except UnicodeEncodeError:
        return False
    return 0 < size <= LONGEST and part not in (".", "..") and not set(part) & set("/\\\0")
