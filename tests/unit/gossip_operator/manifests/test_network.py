"""Who may connect to the job's pods."""

from manifest_jobs import UID, children_of, job

OWN = {"matchLabels": {"gossip.training/job-name": "mnist", "gossip.training/job-uid": UID}}
OPERATOR = {
    "namespaceSelector": {},
    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "gossip-operator"}},
}


def policy(**spec):
    return children_of(job(**spec))["NetworkPolicy"]["spec"]


def test_the_policy_is_about_the_jobs_pods_and_what_they_accept():
    assert policy()["podSelector"] == OWN
    assert policy()["policyTypes"] == ["Ingress"]
    assert "egress" not in policy()


def test_pods_of_the_job_reach_each_other_at_every_port():
    peers, _ = policy()["ingress"]
    assert peers == {"from": [{"podSelector": OWN}]}


def test_everybody_else_reaches_the_metrics_port_alone():
    _, metrics = policy(monitoring={"metricsPort": 9999})["ingress"]
    assert metrics["ports"] == [{"port": 9999, "protocol": "TCP"}]


def test_all_namespaces_may_scrape_unless_the_job_says_who():
    _, metrics = policy()["ingress"]
    assert metrics["from"][0] == {"namespaceSelector": {}, "podSelector": {}}


def test_the_operator_may_ask_also_where_the_job_says_who_scrapes():
    team = {"matchLabels": {"team": "metrics"}}
    _, metrics = policy(monitoring={"scrapeFrom": {"namespaceSelector": team}})["ingress"]
    assert metrics["from"] == [{"namespaceSelector": team, "podSelector": {}}, OPERATOR]
