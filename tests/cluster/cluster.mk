CLUSTER = PYTHONPATH=tests .venv/bin/python -m cluster

.PHONY: cluster-build cluster-up cluster-down cluster-image test-cluster

cluster-build: .venv/.stamp # Of low priority, so that it takes what other work leaves; tests that need the cluster say why there is none.
	-@$(CLUSTER) build

cluster-up: .venv/.stamp ## Bring up a Kubernetes cluster for tests (first time: 6 minutes)
	$(CLUSTER) up

cluster-down: .venv/.stamp ## End that cluster and remove every trace of it
	$(CLUSTER) down

cluster-image: .venv/.stamp ## Build the operator's image and load it into the cluster
	$(CLUSTER) image load operator

test-cluster: .venv/.stamp ## Test the making and ending of a cluster, on one of its own
	TRADEWIND_CLUSTER_NUMBER=1 .venv/bin/pytest tests/cluster/test_lifecycle.py
