"""OpenVINO: the fastest on most processors without a graphics card. It resizes images itself."""

import json

TITLE = "OpenVINO"
EXTRA, MODULES = "openvino", ("openvino",)
FILE, PARTS = "model.xml", ("model.bin",)
ANY_SIZE, ROUNDS = True, False
JUDGES = True
NOTE = "The weights are in model.bin beside it; model.json is also in its runtime information, under the key kfg."


def write(shipment, folder) -> None:
    """Write model.xml and model.bin; see kfg.exporting.formats.protocol."""
    from kfg.inference import openvino_graph

    net = openvino_graph.convert(shipment.judge, any_size=True)
    net.set_rt_info(json.dumps(shipment.description, ensure_ascii=False), ["kfg"])
    openvino_graph.save(net, folder / FILE)


def opened(folder):
    """Return the function that OpenVINO computes; see kfg.exporting.formats.protocol."""
    from kfg.inference import openvino_graph

    return openvino_graph.opened(folder / FILE)
