"""Forms for settings.

forms: of any settings class; editors: of one setting; experiment_form: in sections; words: titles of fields.
"""
