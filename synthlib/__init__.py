"""A thin library behind the notebooks: when is LLM-written text enough to train a text classifier?"""
