"""Problems and the error that carries them."""

from gossip_api.errors import GossipApiError, InvalidEnvironment, InvalidJob, Problem


def test_a_problem_reads_like_a_compilers_message():
    problem = Problem("job.yaml", 14, 7, "spec.workers", "got 0; must be at least 1")
    assert str(problem) == "job.yaml:14:7: spec.workers: got 0; must be at least 1"


def test_a_problem_without_a_place_in_a_file_names_its_source_only():
    assert (
        str(Problem("--set a=1", None, None, "spec.a", "unknown")) == "--set a=1: spec.a: unknown"
    )
    assert str(Problem("job.yaml", None, None, "", "is empty")) == "job.yaml: is empty"


def test_an_invalid_job_says_all_its_problems():
    problems = [Problem("a", 1, 1, "b", "c"), Problem("a", 2, 1, "d", "e")]
    error = InvalidJob(iter(problems))
    assert error.problems == tuple(problems)
    assert str(error) == "a:1:1: b: c\na:2:1: d: e"


def test_all_errors_have_one_base():
    assert issubclass(InvalidJob, GossipApiError)
    assert issubclass(InvalidEnvironment, GossipApiError)
