"""Engines besides Keras that compute a net's answers: OpenVINO and ONNX Runtime, converted from it and compared."""
