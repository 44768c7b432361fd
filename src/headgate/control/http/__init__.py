"""Operating over HTTP: `/api`, for whoever has a key whose role may. Routes are a table, types are the documentation.

`routes.py` lists what is served; a module a noun; `app.py` does what all of them have in common.
"""
