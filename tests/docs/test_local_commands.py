"""Every command that the documents show for one machine is run, document by document."""

import pytest
from documented_commands import ROOT, blocks_of, documents
from documented_runs import lay_out, run

pytestmark = [pytest.mark.jobs, pytest.mark.timeout(900)]

LOCAL = {
    path: blocks
    for path in documents()
    if (blocks := [block for block in blocks_of(path) if "local" in block.places])
}


@pytest.mark.parametrize("path", LOCAL, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_commands_of_a_document_work(path, tmp_path):
    lay_out(tmp_path)
    for block in LOCAL[path]:
        code, output = run(block.script(), tmp_path, seconds=500)
        assert code == 0, f"{path.name}:{block.line}\n{output[-4000:]}"
