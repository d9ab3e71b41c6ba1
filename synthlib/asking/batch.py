"""Asking through a provider's batches: questions handed in as files, polled, taken up again by a later run.

References
----------
OpenAI, Batch API guide: files of at most 50,000 requests and 200 MB, an answer within 24 hours, half the price.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Self

import openai
import tenacity

from synthlib.asking.backends import Llm
from synthlib.asking.batch_lines import read_lines, split_lines
from synthlib.asking.batches import Batch, list_batches, name_file, name_remote, note_batch, settle_batch
from synthlib.asking.calls import Answer, Question
from synthlib.asking.patience import AskingInBulk, BudgetError, CallError
from synthlib.asking.prices import bound_tokens, find_price
from synthlib.asking.provider import describe, describe_refusal, is_worth_another, open_client, redact
from synthlib.asking.rate import StoppedError
from synthlib.asking.store import Store
from synthlib.asking.writer import spare_bytes
from synthlib.llm import advise, check_budget, say_limit

TRIES = 4  # batches that a question may be part of, and tries of a request about one
FIRST_POLL, LONGEST_POLL = 1.0, 60.0  # seconds between looks at a batch
SECOND_LOOK = 15.0  # seconds until one that was made just before its file was deleted must be listed
_OVER = ("completed", "failed", "expired", "cancelled")


class BatchAsker(AskingInBulk):
    """Asks one model in batches. Those that an earlier run handed in are waited for, and not paid again.

    Parameters
    ----------
    say : callable
        Told how many calls of the batches under way are done.

    Raises
    ------
    ValueError
        max_usd is set and the price of the model in batches is unknown.
    """

    def __init__(self, settings: Llm, store: Store, *, say: Callable[[str], None]) -> None:
        super().__init__(settings, store, model=settings.model)
        self.price = find_price(settings)
        check_budget(settings, known=self.price is not None)
        self._say, self._done = say, {}
        self._client: openai.AsyncOpenAI | None = None
        self._waiting: dict[str, tuple[Question, asyncio.Future[Answer]]] = {}
        self._running: dict[str, tuple[Batch, asyncio.Task]] = {}
        self._postponed: list[Question] = []
        self._tries: Counter[str] = Counter()
        self._withdrawn: set[str] = set()  # files of which no batch can be made any more

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._client = open_client(self.settings)
        for batch in await self._writer.do(list_batches, self.store):
            self._follow(batch)
        return self

    async def __aexit__(self, *details: object) -> None:
        for _, task in self._running.values():
            task.cancel()
        await self._client.close()
        await super().__aexit__(*details)

    def _room(self) -> int:
        return spare_bytes(1024, max_tokens=self.settings.max_tokens)

    def _halt(self) -> None:
        super()._halt()
        if self.error is not None:
            for key in list(self._waiting):
                self._settle(key, StoppedError())

    def _settle(self, key: str, result: Answer | Exception) -> None:
        _, future = self._waiting.pop(key, (None, None))
        if future is not None and not future.done():
            (future.set_exception if isinstance(result, Exception) else future.set_result)(result)

    async def _answer_all(self, gathered: Sequence[tuple[Question, asyncio.Future[Answer]]]) -> None:
        self._waiting |= {question.key: (question, future) for question, future in gathered}
        under_way = {key for batch, _ in self._running.values() for key in batch.keys}
        lines = [(question, future) for question, future in gathered if question.key not in under_way]
        for part in split_lines([question for question, _ in lines], self.settings):
            await self._hand_in(part)

    async def _hand_in(self, part: list[tuple[Question, bytes]]) -> None:
        questions = [question for question, _ in part]
        name, asked_at = f"synthlib-{uuid.uuid4().hex}", datetime.now(UTC).isoformat(timespec="seconds")
        limits = {"max_usd": self.settings.max_usd, "max_calls": self.settings.max_calls}
        bounds = [self._bound(question) for question in questions]
        n_noted, limit = await self._writer.do(
            note_batch, self.store, questions, name=name, asked_at=asked_at, bounds=bounds, **limits
        )
        if n_noted:
            batch = Batch(name, None, None, asked_at, tuple(question.key for question in questions[:n_noted]))
            self._follow(batch, b"".join(line for _, line in part[:n_noted]))
        if n_noted < len(part) and self._running:
            self._postponed += questions[n_noted:]
        elif n_noted < len(part):
            reason = say_limit(self.settings, self.store, limit, bounds[n_noted])
            raise BudgetError(f"{reason}. {self._kept()}")

    def _bound(self, question: Question) -> float:
        values = question.values
        return self.price.cost(bound_tokens(values["messages"]), values["max_tokens"]) if self.price else 0.0

    def _follow(self, batch: Batch, lines: bytes | None = None) -> None:
        self._running[batch.name] = batch, self._loop.create_task(self._see_through(batch, lines))

    async def _see_through(self, batch: Batch, lines: bytes | None) -> None:
        """Hand a batch in, or find it again; wait for it, keep what came, and ask again for what did not."""
        try:
            remote = batch.remote or await self._find_or_create(batch, lines)
            found = await self._poll(batch, remote) if remote else None
            missing = await self._take_in(batch, found)
            error = _fault(found, self._withdrawn)
        except Exception as raised:  # of the server, or of the store: nothing is settled, the batch is taken up again
            missing, error = dict.fromkeys(batch.keys, ""), raised
        del self._running[batch.name]
        self._done.pop(batch.name, None)
        again = []
        for key, reason in missing.items():
            self._tries[key] += 1
            if error is not None or self._tries[key] >= TRIES:
                said = error or CallError(f"no answer in {TRIES} batches: {reason}. {self._kept()}")
                self._settle(key, said)
            elif key in self._waiting:
                again.append(self._waiting[key])
        again += [self._waiting[question.key] for question in self._postponed if question.key in self._waiting]
        self._postponed = []
        self._gathered += again
        self._start_gathering()

    async def _find_or_create(self, batch: Batch, lines: bytes | None) -> str | None:
        """Return the provider's name of a batch; None where an earlier run did not come to hand it in."""
        if lines is not None:
            remote = await self._try(lambda: self._create(batch, lines), batch)
        else:
            remote = await self._find_or_withdraw(batch.file) if batch.file else None
        if remote is not None:
            await self._writer.do(name_remote, self.store, batch.name, remote)
        return remote

    async def _create(self, batch: Batch, lines: bytes) -> str:
        file = await self._client.files.create(file=(f"{batch.name}.jsonl", lines), purpose="batch")
        await self._writer.do(name_file, self.store, batch.name, file.id)
        asked = {"endpoint": "/v1/chat/completions", "completion_window": "24h", "metadata": {"synthlib": batch.name}}
        try:
            return (await self._client.batches.create(input_file_id=file.id, **asked)).id
        except openai.APIError as error:
            if _may_pass(error) and (remote := await self._find_or_withdraw(file.id)):
                return remote  # it was made all the same
            raise

    async def _find_or_withdraw(self, file: str) -> str | None:
        """Return the batch that was made of a file; if there is none, delete the file.

        A request that is still under way can then make none either.
        """
        if remote := await self._find(file):
            return remote
        await self._try(lambda: self._delete(file))
        self._withdrawn.add(file)
        await asyncio.sleep(SECOND_LOOK)
        return await self._find(file)

    async def _delete(self, file: str) -> None:
        with suppress(openai.NotFoundError):
            await self._client.files.delete(file)
        with suppress(openai.NotFoundError):
            await self._client.files.retrieve(file)
            raise CallError(
                f"the server does not delete file {file}, so a batch may still be made of it: delete it there, run "
                f"again. {self._kept()}"
            )

    async def _find(self, file: str) -> str | None:
        async def look() -> str | None:
            async for listed in self._client.batches.list(limit=100):
                if listed.input_file_id == file:
                    return listed.id
            return None

        return await self._try(look)

    async def _poll(self, batch: Batch, remote: str) -> Any:
        seconds = FIRST_POLL
        while True:
            found = await self._try(lambda: self._client.batches.retrieve(remote))
            counts = found.request_counts
            self._done[batch.name] = (counts.completed + counts.failed) if counts else 0
            n_asked = sum(len(running.keys) for running, _ in self._running.values())
            self._say(f"{sum(self._done.values())} of {n_asked} calls of {len(self._running)} batches done")
            if found.status in _OVER:
                return found
            await asyncio.sleep(seconds)
            seconds = min(LONGEST_POLL, 1.5 * seconds)

    async def _take_in(self, batch: Batch, found: Any) -> dict[str, str]:
        """Keep what came of a batch; return why there is no answer to the rest, by key, or raise what forbids more."""
        answers, failures, state = {}, {}, "not handed in" if found is None else found.status
        seconds = (datetime.now(UTC) - datetime.fromisoformat(batch.asked_at)).total_seconds()
        for file in (found.output_file_id, found.error_file_id) if found is not None else ():
            if file:
                content = await self._try(lambda file=file: self._client.files.content(file))
                shared = {"price": self.price, "seconds": seconds, "asked_at": batch.asked_at}
                read_lines(redact(content.text), set(batch.keys), answers=answers, failures=failures, **shared)
        kept = {"state": state, "answers": answers, "failures": failures}
        await self._writer.do(settle_batch, self.store, batch, **kept)
        for key, answer in answers.items():
            self._settle(key, answer)
        for key, failure in failures.items():
            if not failure.worth_another:
                said = f"the server refuses ({failure.reason}): {advise(failure.status, self.settings)}"
                self._settle(key, CallError(f"{said}. {self._kept()}"))
        missing = {key: state for key in batch.keys if key not in answers}
        return missing | {key: failure.reason for key, failure in failures.items()}

    async def _try(self, request: Callable[[], Awaitable[Any]], batch: Batch | None = None) -> Any:
        """Return what a request brings; try again what may pass. A batch that is refused is settled as unpaid."""
        tries = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(_may_pass),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=tenacity.wait_random_exponential(multiplier=FIRST_POLL, max=LONGEST_POLL),
            reraise=True,
        )
        try:
            async for attempt in tries:
                with attempt:
                    return await request()
        except openai.APIStatusError as error:
            if batch is not None:
                await self._writer.do(settle_batch, self.store, batch, state="refused", answers={}, failures={})
            hint = "has it batches? if not, set llm.mode to online" if error.status_code == 404 else ""
            hint = hint or advise(error.status_code, self.settings)
            raise CallError(f"the server refuses ({describe_refusal(error)}): {hint}. {self._kept()}") from None
        except openai.APIConnectionError as error:
            at = self.settings.base_url or "OpenAI"
            raise CallError(f"no reply from {at} ({describe(error)}); run again to go on. {self._kept()}") from None


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, openai.APIStatusError):
        return is_worth_another(error.status_code, error.code)
    return isinstance(error, openai.APIConnectionError)


def _fault(found: Any, withdrawn: Collection[str]) -> CallError | None:
    """Return why a provider did not take a batch; one whose file was deleted is simply made again."""
    if found is None or found.status != "failed" or found.input_file_id in withdrawn:
        return None
    faults = (found.errors and found.errors.data) or []
    said = "; ".join(f"{fault.code}: {fault.message}" for fault in faults[:3]) or "no reason given"
    return CallError(f"the server took the file and refuses the batch ({redact(said)}); nothing of it was paid")
