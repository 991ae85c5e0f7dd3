"""Hands over an original: whole, or the part that a player asks for."""

from aiohttp import web
from aiohttp.web import Request, Response

from handlers.page import Download

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Accept-Ranges": "bytes",
}


def sent(request: Request, download: Download) -> Response:
    """The answer with the bytes; players of some phones insist on parts."""
    how = "inline" if download.inline else "attachment"
    headers = _HEADERS | {"Content-Disposition": f'{how}; filename="{download.filename}"'}
    body, size = download.content, len(download.content)
    if "Range" not in request.headers:
        return web.Response(body=body, content_type=download.content_type, headers=headers)
    try:
        start, stop, _ = request.http_range.indices(size)
    except ValueError:
        start = stop = size
    if start >= stop:
        return web.Response(status=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    headers |= {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return web.Response(status=206, body=body[start:stop], content_type=download.content_type, headers=headers)
