"""The message trace: what every process of a run did, written so that nothing can be taken away unseen."""
