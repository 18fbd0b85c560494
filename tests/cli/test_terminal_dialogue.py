"""`run -f` in a terminal: questions are complete, Ctrl-C works, and no line is lost."""

from pathlib import Path

from cli.glass import in_terminal, lines_of

ASKS = """\
apiVersion: tradewind.dev/v1alpha1
kind: DAG
metadata: {name: asks}
spec:
  defaults: {image: x}
  tasks:
    chat: {script: {shell: 'i=0; until [ -f go ]; do i=$((i+1)); echo "tick $i"; sleep 0.05; done; echo "all $i"'}}
    ok: {approval: {message: 'Publish?'}}
    end: {dependsOn: [ok], script: {shell: 'touch go'}}
"""
ASK = "ok: Publish? [y/n] "


def test_lines_of_logs_wait_for_the_answer_and_none_is_lost(tmp_path: Path) -> None:
    (tmp_path / "dag.yaml").write_text(ASKS)
    code, written = in_terminal(tmp_path, ["run", "-f", "dag.yaml"], [(ASK, "maybe\n"), (ASK, "\n"), (ASK, "yes\n")])
    lines = lines_of(written)
    at = lines.index(f"{ASK}maybe")
    assert code == 0
    assert lines[at : at + 5] == [
        f"{ASK}maybe",
        "  maybe is not an answer: type y to approve, or n to reject",
        ASK.rstrip(),
        "  nothing is not an answer: type y to approve, or n to reject",
        f"{ASK}yes",
    ]
    ticks = [line for line in lines if line.startswith("chat | tick")]
    assert ticks == [f"chat | tick {number}" for number in range(1, len(ticks) + 1)]
    assert f"chat | all {len(ticks)}" in lines


def test_the_first_interrupt_is_answered_in_a_line_that_stays(tmp_path: Path) -> None:
    (tmp_path / "dag.yaml").write_text(ASKS)
    answer = "cancelling: tasks have their gracePeriod to end in; Ctrl-C again ends them at once"
    for typed in ([(ASK, "\x03")], [(ASK, "n\n"), ("tick", "\x03")]):
        code, written = in_terminal(tmp_path, ["run", "-f", "dag.yaml"], typed)
        lines = lines_of(written)
        assert code == 130 and lines.count(answer) == 1
        assert sum("asks-" in line for line in lines) == 1, "the picture is there once"
        assert any(line.startswith("⊘ chat") for line in lines)


def test_the_second_interrupt_ends_at_once_and_says_so(tmp_path: Path) -> None:
    stubborn = ASKS.replace("'i=0;", "'trap : TERM INT; i=0;").replace("{image: x}", "{image: x, gracePeriod: 10m}")
    (tmp_path / "dag.yaml").write_text(stubborn)
    typed = [(ASK, "n\n"), ("tick", "\x03"), ("Ctrl-C again", "\x03")]
    code, written = in_terminal(tmp_path, ["run", "-f", "dag.yaml"], typed)
    assert code == 130 and lines_of(written)[-2] == "ended at once: tasks that still ran were killed"


def test_an_end_of_input_at_a_question_is_answered_and_a_second_one_cancels_the_run(tmp_path: Path) -> None:
    (tmp_path / "dag.yaml").write_text(ASKS)
    again = "  the input has ended without an answer; end it again (Ctrl-D) to cancel the run"
    code, written = in_terminal(tmp_path, ["run", "-f", "dag.yaml"], [(ASK, "\x04"), (ASK, "y\n")])
    assert code == 0 and again in lines_of(written)
    code, written = in_terminal(tmp_path, ["run", "-f", "dag.yaml"], [(ASK, "\x04"), (ASK, "\x04")])
    lines = lines_of(written)
    assert code == 130 and "  no decision: the input has ended, so the run is cancelled" in lines
    assert any(line.startswith("⊘ ok") for line in lines)
