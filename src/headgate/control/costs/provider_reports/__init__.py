"""What providers say they have counted and charged: their files, read into lines of one day and one model.

`reading` recognises a file by what is in it; `openai` and `anthropic` know one vendor's forms each."""
