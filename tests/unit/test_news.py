from __future__ import annotations

from cedarchest.errors import NoMedium
from cedarchest.report.news import LONGEST, SUMMARY, news, summary
from cedarchest.report.outcome import Result, failed


def test_what_is_wrong_and_what_to_do_come_first() -> None:
    result = Result(
        "all",
        days=["2026/11/24"],
        left_out=["alpha"],
        text=["did", "left out: alpha"],
        problems=[NoMedium("m")],
    )
    told = news(result, "here", ["w"])
    assert told.title == "cedarchest all on here: partial"
    assert told.body.splitlines() == [
        "m", f"  {NoMedium.advice}", "left out: alpha", "warning: w", "did",
    ]  # fmt: skip


def test_news_say_something_and_not_too_much() -> None:
    assert news(Result("all"), "here", []).body == "ok"
    long = failed("all", NoMedium("x" * 10_000))
    assert len(news(long, "here", []).body) == LONGEST
    assert len(summary(long)) == SUMMARY
