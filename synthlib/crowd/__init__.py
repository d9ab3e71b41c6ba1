"""The subjectivity studies as instruments: design them, ask a crowd, and bring the votes home.

Nothing outside this package imports it. :mod:`~synthlib.crowd.design` makes a study, :mod:`~synthlib.crowd.form`,
:mod:`~synthlib.crowd.widget`, :mod:`~synthlib.crowd.labelstudio` and :mod:`~synthlib.crowd.mturk` ask it of people and
:mod:`~synthlib.crowd.panel` of a language model; :mod:`~synthlib.crowd.collect`, :mod:`~synthlib.crowd.flags` and
:mod:`~synthlib.crowd.export` turn the answers into votes that 04_task_subjectivity and 07_instance_subjectivity read.
"""
