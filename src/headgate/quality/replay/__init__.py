"""A recorded request again: rebuilt from its stored body, changed where asked, sent on the whole journey, compared.

`rebuilding` and `changing` make the request, `planning` says what it will cost, `running` sends it, `comparing` and `summary`
say what came of it. All but `running` is pure."""
