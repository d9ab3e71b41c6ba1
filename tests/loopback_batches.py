"""The files and batches of the stand-in for a server: handed in, worked off in time, read as files."""

from __future__ import annotations

import json
import re
import time


class Batches:
    """Answers one request about files or batches for a handler of :mod:`loopback_llm`.

    Faults of a batch: refused (it is not made), dropped (made, but the connection breaks), 503 (made, but the reply
    says it was not), failed (made, not taken), expired, cancelled (half of its lines are answered), lost line (one line
    of the output is damaged). ``server.late()`` is how many seconds after it was asked for a batch is made, whether or
    not the client still listens; of a file that is deleted by then, none is made.
    """

    def __init__(self, handler):
        self.handler, self.server, self.ledger = handler, handler.server, handler.server.ledger

    def post(self):
        data = self.handler.rfile.read(int(self.handler.headers["Content-Length"]))
        with self.ledger.lock:
            if self.handler.path.endswith("/files"):
                lines = [line for line in data.decode().splitlines() if line.startswith('{"custom_id"')]
                name = self.ledger.name_file()
                self.ledger.files[name] = lines
                made = {"id": name, "object": "file", "bytes": len(data), "created_at": 1, "filename": "x"}
                return self.handler.send(200, made | {"purpose": "batch", "status": "processed"}, "")
        time.sleep(self.server.late())
        with self.ledger.lock:
            return self.make(json.loads(data))

    def make(self, asked):
        if asked["input_file_id"] not in self.ledger.files:
            return self.handler.send(400, {"error": {"message": "no such file", "code": "file"}}, "")
        number = len(self.ledger.batches) + 1
        fault = self.server.batch_fault(number)
        if fault == "refused":
            return self.handler.send(400, {"error": {"message": "no batches today", "code": "limit"}}, "")
        made = {"id": f"batch-{number}", "object": "batch", "created_at": int(time.time()), "status": "in_progress"}
        made |= asked | {"fault": fault, "ready": time.monotonic() + self.server.seconds}
        made["lines"] = self.ledger.files[asked["input_file_id"]]
        self.ledger.batches[made["id"]] = made
        if fault == "dropped":
            self.handler.close_connection = True
            return self.handler.connection.close()
        return self.handler.send(503 if fault == "503" else 200, self.show(made), "")

    def delete(self):
        name = self.handler.path.rsplit("/", 1)[1]
        with self.ledger.lock:
            if name not in self.ledger.files:
                return self.handler.send(404, {"error": {"message": "no such file", "code": "file"}}, "")
            if not self.server.keeps_files:
                self.ledger.deleted[name] = self.ledger.files.pop(name)
            return self.handler.send(200, {"id": name, "object": "file", "deleted": True}, "")

    def get(self):
        with self.ledger.lock:
            path = self.handler.path.split("?")[0]
            if found := re.search(r"/files/(.*)/content$", path):
                content = "\n".join(self.ledger.files[found[1]])
                return self.handler.send_text(content)
            if path.endswith("/batches"):
                listed = [self.show(batch) for batch in reversed(self.ledger.batches.values())]
                return self.handler.send(200, {"object": "list", "data": listed, "has_more": False}, "")
            if found := re.search(r"/files/([^/]*)$", path):
                made = {"id": found[1], "object": "file", "bytes": 1, "created_at": 1, "filename": "x"}
                known = found[1] in self.ledger.files
                return self.handler.send(200 if known else 404, made | {"purpose": "batch", "status": "processed"}, "")
            return self.handler.send(200, self.show(self.ledger.batches[path.rsplit("/", 1)[1]]), "")

    def show(self, batch):
        if batch["status"] == "in_progress" and time.monotonic() >= batch["ready"]:
            self.work_off(batch)
        shown = {name: value for name, value in batch.items() if name not in ("fault", "ready", "lines")}
        total = len(batch["lines"])
        done = total if batch["status"] != "in_progress" else 0
        return shown | {"request_counts": {"total": total, "completed": done, "failed": 0}}

    def work_off(self, batch):
        from loopback_llm import STATUS, write_answer

        fault, lines = batch["fault"], [json.loads(line) for line in batch["lines"]]
        batch["status"] = fault if fault in ("failed", "expired", "cancelled") else "completed"
        if fault == "failed":
            batch["errors"] = {"object": "list", "data": [{"code": "bad_line", "message": "line 1 is no request"}]}
            return
        outputs, errors = [], []
        for line in lines[: len(lines) // 2] if fault in ("expired", "cancelled") else lines:
            body = line["body"]
            self.ledger.requests.append(body)
            number = len(self.ledger.requests)
            wrong = self.server.fault(number, body)
            if wrong in STATUS:
                response = {"status_code": STATUS[wrong], "body": {"error": {"message": f"fault {wrong}"}}}
                errors.append(json.dumps({"custom_id": line["custom_id"], "response": response, "error": None}))
                continue
            self.ledger.paid_in_batches[line["custom_id"]] += 1
            self.ledger.paid[json.dumps(body["messages"], sort_keys=True)] += 1
            response = {"status_code": 200, "body": write_answer(body, number, wrong)}
            outputs.append(json.dumps({"custom_id": line["custom_id"], "response": response, "error": None}))
        if fault == "lost line":
            outputs[0] = outputs[0][:40]
        for name, content in (("output_file_id", outputs), ("error_file_id", errors)):
            if content:
                batch[name] = self.ledger.name_file()
                self.ledger.files[batch[name]] = content
