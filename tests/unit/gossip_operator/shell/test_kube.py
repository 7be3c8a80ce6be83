import asyncio
import json

import aiohttp
import pytest

from gossip_operator.shell.errors import ApiError, NamespaceTerminatingError, NotLeadingError
from gossip_operator.shell.kube import Kube
from gossip_operator.shell.resources import POD, POD_MONITOR, SECRET


class Answer:
    def __init__(self, status, body, headers=None):
        self.status = status
        self.headers = headers or {}
        self.response = self
        self._body = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def read(self):
        return self._body


class Api:
    """Answers what it was told, in order, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def param_serialize(self, method, path, **more):
        return method, path, more["header_params"], more["body"], more["query_params"]

    async def call_api(self, method, url, *, header_params, body):
        self.asked.append((method, url, header_params, body))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            await asyncio.sleep(60)
        return answer


def failure_of(call):
    with pytest.raises(ApiError) as caught:
        asyncio.run(call)
    return caught.value


def test_a_request_goes_to_the_objects_path_with_its_type():
    api = Api(Answer(200, {"kind": "Pod"}))
    manifest = {"metadata": {"namespace": "ns", "name": "p"}}
    asyncio.run(Kube(api).apply(POD, manifest, subresource="status"))
    method, url, headers, body = api.asked[0]
    assert (method, url) == ("PATCH", "/api/v1/namespaces/ns/pods/p/status")
    assert headers["Content-Type"] == "application/apply-patch+yaml"
    assert body == manifest


def test_a_deletion_names_the_uid_that_it_is_meant_for():
    api = Api(Answer(200, {"kind": "Pod"}))
    asyncio.run(Kube(api).delete(POD, "ns", "p", uid="u1"))
    assert api.asked[0][3]["preconditions"] == {"uid": "u1"}


def test_an_error_carries_what_the_api_server_said():
    answer = Answer(
        429, {"reason": "TooManyRequests", "message": "slow down"}, {"Retry-After": "3"}
    )
    error = failure_of(Kube(Api(answer)).get(POD, "ns", "p"))
    assert (error.status, error.reason, error.message) == (429, "TooManyRequests", "slow down")
    assert error.retry_after == 3.0


@pytest.mark.parametrize("status", [401, 409, 410, 429, 500, 503])
def test_some_errors_pass(status):
    assert failure_of(Kube(Api(Answer(status, {}))).get(POD, "ns", "p")).is_transient


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_some_errors_stay(status):
    assert not failure_of(Kube(Api(Answer(status, {}))).get(POD, "ns", "p")).is_transient


def test_a_namespace_that_is_being_deleted_is_told_from_a_right_that_is_missing():
    cause = {"reason": "NamespaceTerminating", "field": "metadata.namespace"}
    going = {"reason": "Forbidden", "details": {"kind": "pods", "causes": [cause]}}
    kube = Kube(Api(Answer(403, going), Answer(403, {"reason": "Forbidden", "details": {}})))
    assert isinstance(failure_of(kube.create(POD, "ns", {})), NamespaceTerminatingError)
    assert not isinstance(failure_of(kube.create(POD, "ns", {})), NamespaceTerminatingError)


def test_a_proxys_page_instead_of_an_answer_is_an_error():
    error = failure_of(Kube(Api(Answer(502, b"<html>Bad Gateway"))).get(POD, "ns", "p"))
    assert error.status == 502
    assert "Bad Gateway" in error.message
    assert failure_of(Kube(Api(Answer(200, b"<html>Login"))).get(POD, "ns", "p")).is_transient


def test_no_answer_in_time_is_an_error():
    error = failure_of(Kube(Api(None), deadline_seconds=0.01).get(POD, "ns", "p"))
    assert (error.status, error.is_transient) == (0, True)
    assert "get /api/v1/namespaces/ns/pods/p: no answer" in error.message


def test_a_line_that_breaks_is_an_error():
    assert failure_of(Kube(Api(aiohttp.ServerDisconnectedError())).get(POD, "ns", "p")).status == 0


def test_who_may_not_lead_any_more_reads_but_does_not_write():
    api = Api(Answer(200, {"kind": "Pod"}))
    kube = Kube(api, seconds_to_write=lambda: 0.0)
    asyncio.run(kube.get(POD, "ns", "p"))
    with pytest.raises(NotLeadingError):
        asyncio.run(kube.create(POD, "ns", {}))
    assert len(api.asked) == 1


def test_a_write_ends_before_another_may_lead():
    kube = Kube(Api(None), seconds_to_write=lambda: 0.01)
    assert failure_of(kube.create(POD, "ns", {})).status == 0


def test_every_request_is_noted_also_one_without_an_answer():
    noted = []
    kube = Kube(Api(Answer(200, {}), OSError()), note=lambda *request: noted.append(request[:3]))
    asyncio.run(kube.get(POD, "ns", "p"))
    failure_of(kube.create(POD, "ns", {}))
    assert noted == [("get", "pods", 200), ("create", "pods", 0)]


def test_a_list_comes_in_pages_of_one_moment():
    first = {"metadata": {"resourceVersion": "7", "continue": "next"}, "items": [{"a": 1}]}
    last = {"metadata": {"resourceVersion": "7"}, "items": None}
    api = Api(Answer(200, first), Answer(200, last))

    async def read():
        return [page async for page in Kube(api).pages(POD, None, selector="x")]

    pages = asyncio.run(read())
    assert [(page.version, len(page.items)) for page in pages] == [(7, 1), (7, 0)]


def test_of_a_child_only_the_metadata_is_read():
    found = {"metadata": {}, "items": [{"metadata": {"uid": "u1"}}]}
    api = Api(Answer(200, found), Answer(200, {"metadata": {}, "items": []}))
    kube = Kube(api)
    assert asyncio.run(kube.find(SECRET, "ns", "s")) == {"uid": "u1"}
    assert asyncio.run(kube.find(SECRET, "ns", "s")) is None
    assert "PartialObjectMetadataList" in api.asked[0][2]["Accept"]


def test_a_kind_is_served_if_its_group_says_so():
    served = Answer(200, {"resources": [{"name": "podmonitors"}]})
    other = Answer(200, {"resources": [{"name": "servicemonitors"}]})
    kube = Kube(Api(served, other, Answer(404, {}), Answer(503, {})))
    assert asyncio.run(kube.serves(POD_MONITOR))
    assert not asyncio.run(kube.serves(POD_MONITOR))
    assert not asyncio.run(kube.serves(POD_MONITOR))
    assert failure_of(kube.serves(POD_MONITOR)).status == 503
