"""ONNX: one file for ONNX Runtime, on servers, in browsers, in C# and on phones. It resizes images itself."""

import json

TITLE = "ONNX"
EXTRA, MODULES = "onnx", ("onnx", "tf2onnx", "onnxruntime")
FILE, PARTS = "model.onnx", ()
ANY_SIZE, ROUNDS = True, False
JUDGES = True
NOTE = "model.json is also in its metadata, under the key kfg."


def write(shipment, folder) -> None:
    """Write model.onnx; see kfg.exporting.formats.protocol."""
    import onnx

    from kfg.inference import onnx_graph

    net = onnx_graph.convert(shipment.judge, any_size=True)
    net.producer_name = "kfg"
    onnx.helper.set_model_props(net, {"kfg": json.dumps(shipment.description, ensure_ascii=False)})
    onnx.save(net, folder / FILE)


def opened(folder):
    """Return the function that ONNX Runtime computes; see kfg.exporting.formats.protocol."""
    from kfg.inference import onnx_graph

    return onnx_graph.opened(folder / FILE)
