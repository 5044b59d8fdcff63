"""NeuralGS: a trained scene of Gaussians becomes positions, short codes and a bank of tiny MLPs.

    views ---------> targets --------------------------------.
      |                                                       v
    Gaussians -> importance -> merge (or prune) -> start -> tune -> pack -> .kilo
                                                   (canonical attributes, PCA)

`compress.py` runs the pipeline; `paper.py` is the published recipe (arXiv 2503.23162), the rest is ours. A scene too
large for one fit goes through it in chunks (`compress_chunks.py`):

    Gaussians -> survey: chunks, one grid, views from afar -> each chunk with views of its own -> joined -> .kilo
"""
