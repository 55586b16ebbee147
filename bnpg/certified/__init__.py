"""What a certificate says, proved a second time: in exact arithmetic, from any vectors.

`exact_check` is the proof, a script that needs nothing but Python; `witness` finds the vectors, `exactly`
brings a game and a policy to it, and `checking` judges the certificate of a run folder.
"""
