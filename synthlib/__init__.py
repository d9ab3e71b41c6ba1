"""A thin library behind the notebooks: when is LLM-written text enough to train a text classifier?

Where to look, by notebook:

- all: params, tasks, data, features, encode, results, metrics, compare, plots
- 01_tasks: describe, surface
- 02_generate: settings, prompts, draws, conversations, answers, generate; what came back: audit, audits, compliance,
  nearness, shortcuts, label_check, growth, card
- asking a language model: backends, live; online: llm, provider, rate; in batches: batch, batches, batch_lines; on
  this machine: local, local_model; what is kept: calls, store, schema, writer; money: prices, estimate, ledger
- 03_train: sources, train (frozen), finetune (with steps, classifier, tokens, dropout, checkpoint), baselines
- 04_task_subjectivity: voters, vote_tables, ranking, bradley_terry, firmness
- 05_task_comparison: task_comparison, fine_tuned
- 06_diversity: diversity, similarity
- 07_instance_subjectivity: annotated, agreement, annotators, soft, instances, gamma, mixed
- 08_why: moderators, moderation, irony, cartography, repairs, why
- 09_stories: stories, spread, request_labels, story_costs
- 10_collect: crowd
- 11_validation: validation
- 12_report: report, expectation, report_words, report_page
- the runner and the command: run, runner, cli, produce, build
"""
