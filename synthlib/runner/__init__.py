"""Running the study: jobs and their keys, execution, reports and releases. Notebooks import none of it."""
