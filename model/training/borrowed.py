"""Tensors of one graph that lie in the file of another: ONNX external data that points into it."""

import numpy as np
from onnx import TensorProto


class Lender:
    """A graph file whose bytes other graphs in the same folder may name."""

    def __init__(self, path):
        self.name, self.content = path.name, path.read_bytes()

    def tensor(self, name, array):
        """A tensor of 32-bit floats whose bytes are found in the file, where they must stand exactly once."""
        array = np.ascontiguousarray(array, dtype=np.float32)
        wanted = array.tobytes()
        offset = self.content.find(wanted)
        assert offset >= 0, f"{name} is not in {self.name}"
        assert self.content.find(wanted, offset + 1) < 0, f"{name} is in {self.name} more than once"
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=array.shape, data_location=TensorProto.EXTERNAL)
        for key, value in (("location", self.name), ("offset", offset), ("length", len(wanted))):
            tensor.external_data.add(key=key, value=str(value))
        return tensor
