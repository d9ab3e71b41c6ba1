"""A thin library behind the notebooks: when is LLM-written text enough to train a text classifier?

Where to look, by notebook (a name with a slash is a package):

- all: params/, fields, tasks, data, splits, hub, features, vectors, encode, encoders, results, metrics, intervals,
  compare, plots/, reporting/ (tables, words), paths, files, devices
- 01_tasks: describe, surface
- 02_generate: settings, prompts, draws, generate, growth, scoring; llm with asking/ (conversations, ways to ask, store,
  money); what came back: corpus/ (audits, card)
- 03_train: sources, train (frozen encoder), finetune with training/ (steps, classifier, checkpoints, baselines)
- 04_task_subjectivity: ranking, votes/ (voters, Bradley-Terry, firmness)
- 05_task_comparison: task_comparison, fine_tuned
- 06_diversity: diversity, similarity
- 07_instance_subjectivity: agreement, votes/ (instances, gamma, soft labels, mixed model)
- 08_why: explaining/
- 09_stories: recipes/
- 10_collect: crowd/
- 11_validation: validation, coverage
- 12_report: reporting/ (report, expectation)
- the runner and the command: run, runner/, cli, produce, build
"""
