"""A stand-in for the model hub on this machine: serves files of one data set at one revision, and nothing else."""

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def serve_hub(name, revision, files):
    """Yield the address of a hub that holds ``files`` (path -> bytes) of data set ``name`` at ``revision``."""
    tree = [
        {"type": "file", "path": path, "size": len(body), "oid": f"{n:040x}"}
        for n, (path, body) in enumerate(files.items())
    ]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers = 200, {"X-Repo-Commit": revision}
            path = self.path.partition("?")[0]
            resolved = path.removeprefix(f"/datasets/{name}/resolve/{revision}/")
            if resolved in files:
                body, headers["ETag"] = files[resolved], f'"{resolved}"'
            elif path == f"/api/datasets/{name}/revision/{revision}":
                body = json.dumps({"id": name, "sha": revision}).encode()
            elif path.startswith(f"/api/datasets/{name}/tree/{revision}"):
                body = json.dumps(tree).encode()
            else:
                status, body, headers["X-Error-Code"] = 404, b"{}", "RevisionNotFound"
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if wanted and status == 200:
                first, last = int(wanted[1]), min(int(wanted[2]), len(body) - 1)
                headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
                status, body = 206, body[first : last + 1]
            self.send_response(status)
            for key, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
