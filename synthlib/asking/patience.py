"""What all ways of asking share: the errors that end a run, and the patience of one that waits for answers in bulk."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

from synthlib.asking.backends import Asked
from synthlib.asking.calls import Answer, Question, make_question
from synthlib.asking.rate import StoppedError
from synthlib.asking.store import Store
from synthlib.asking.writer import Writer

SETTLED = 0.02  # seconds in which no further question came


class CallError(RuntimeError):
    """The run cannot go on; what has come back is kept, and the same run goes on from there."""


class BudgetError(CallError):
    """max_usd or max_calls is reached."""


class Asking(ABC):
    """Puts questions to one model, and keeps every answer in a store: ``async with``, then :meth:`ask`.

    Attributes
    ----------
    width : int
        Conversations that are worth holding side by side.
    error : exception or None
        What ended the run.
    """

    def __init__(self, settings: Asked, store: Store, *, model: str, width: int) -> None:
        self.settings, self.store, self.width, self._model = settings, store, width, model
        self.error: BaseException | None = None
        self._asked: dict[str, asyncio.Future[Answer]] = {}  # by key: under way
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer: Writer | None = None
        self._n_answered = 0

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(self.store, spare_bytes=self._room())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, messages: Sequence[dict[str, str]], *, replicate: str) -> tuple[Answer, bool]:
        """Return the answer to messages, and whether it was asked for now rather than found in the store.

        Parameters
        ----------
        messages : sequence of dict
            role and content.
        replicate : str
            Tells apart questions that are asked in the same words for different texts.

        Raises
        ------
        CallError
            The server refuses for good or does not answer, or (BudgetError) a limit is reached.
        StoppedError
            :meth:`stop` was called before it was sent.
        OSError
            The store cannot be written.
        """
        question = make_question(self.settings, messages, model=self._model, replicate=replicate)
        if answer := self.store.find(question.key):
            return answer, False
        if question.key in self._asked:
            return await asyncio.shield(self._asked[question.key]), False
        if self.error is not None:
            raise StoppedError
        asked = self._asked[question.key] = self._loop.create_future()
        try:
            answer = await self._answer(question)
        except BaseException as error:
            asked.set_exception(error if isinstance(error, Exception) else StoppedError())
            asked.exception()  # whether anyone else has asked for it or not
            raise
        finally:
            del self._asked[question.key]
        asked.set_result(answer)
        self._n_answered += 1
        return answer, True

    async def stop(self, error: BaseException) -> None:
        """Send nothing more; calls in flight are waited for and kept. The first error is the one to raise."""
        self._end(error)

    def interrupt(self) -> None:
        """Stop, from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end, StoppedError("interrupted"))

    def _end(self, error: BaseException) -> None:
        if self.error is None or isinstance(self.error, StoppedError):
            self.error = error
        self._halt()

    @abstractmethod
    async def _answer(self, question: Question) -> Answer:
        """Return the answer to a question that is not in the store, and keep it."""

    @abstractmethod
    def _halt(self) -> None:
        """Wake all that waits to be sent, with StoppedError."""

    @abstractmethod
    def _room(self) -> int:
        """Return how many bytes the answers in flight may take on the disk."""

    def _kept(self) -> str:
        return f"{self._n_answered} answers of this run are kept in {self.store.path.name}; run again to go on"


class AskingInBulk(Asking):
    """Gathers questions until nobody has another, and answers them together."""

    def __init__(self, settings: Asked, store: Store, *, model: str) -> None:
        super().__init__(settings, store, model=model, width=1_000_000)
        self._gathered: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._gatherer: asyncio.Task | None = None

    async def __aexit__(self, *_: object) -> None:
        if self._gatherer is not None:
            self._gatherer.cancel()
        await super().__aexit__()

    async def _answer(self, question: Question) -> Answer:
        future = self._loop.create_future()
        self._gathered.append((question, future))
        self._start_gathering()
        return await future

    def _start_gathering(self) -> None:
        if self._gathered and (self._gatherer is None or self._gatherer.done()):
            self._gatherer = self._loop.create_task(self._gather())

    async def _gather(self) -> None:
        while self._gathered and self.error is None:
            n_before = -1
            while len(self._gathered) > n_before:
                n_before = len(self._gathered)
                await asyncio.sleep(SETTLED)
            gathered, self._gathered = self._gathered, []
            try:
                await self._answer_all(gathered)
            except Exception as error:
                for _, future in gathered:
                    if not future.done():
                        future.set_exception(error)
        self._halt()

    def _halt(self) -> None:
        if self.error is None:
            return
        for _, future in self._gathered:
            if not future.done():
                future.set_exception(StoppedError())
        self._gathered = []

    @abstractmethod
    async def _answer_all(self, gathered: Sequence[tuple[Question, asyncio.Future[Answer]]]) -> None:
        """Settle the future of every question, or raise what ends the run."""
