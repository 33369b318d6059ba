# Thin on purpose: every target is one call of `python -m helpers`, which Windows users type themselves.
PYTHON ?= python3

.PHONY: run test lab doctor setup notebooks checkpoints bench
run:
	@$(PYTHON) -m helpers run
test:
	@$(PYTHON) -m helpers test
lab:
	@$(PYTHON) -m helpers lab
doctor:
	@$(PYTHON) -m helpers doctor
setup:
	@$(PYTHON) -m helpers setup
notebooks:
	@$(PYTHON) -m helpers notebooks
checkpoints:
	@$(PYTHON) -m helpers checkpoints
bench:
	@$(PYTHON) -m helpers bench
