"""Event files as TensorBoard writes them, and a check that it reads ours.

python event_file_tensorboard.py > ../fixtures/event-file-tensorboard.json   (pip install tensorboard)
python event_file_tensorboard.py read <folder>                               prints the scalars of a folder
"""

import json
import os
import sys
import tempfile
from unittest import mock

import tensorboard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

if sys.argv[1:2] == ["read"]:
    seen = EventAccumulator(sys.argv[2])
    seen.Reload()
    for tag in sorted(seen.Tags()["scalars"]):
        print(tag, [(event.step, event.value) for event in seen.Scalars(tag)])
    sys.exit()

steps = [
    {"step": 0, "figures": {"loss": 0.75}},
    {"step": 1, "figures": {"loss": 0.5, "valid_loss": 0.625}},
    {"step": 300, "figures": {"loss": -1e-20, "größe": 3e38}},
    {"step": 5_000_000_000, "figures": {"rate": 0.001}},
]
seconds = 1700000000.25
with tempfile.TemporaryDirectory() as folder, mock.patch("time.time", return_value=seconds):
    writer = EventFileWriter(folder)
    for one in steps:
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in one["figures"].items()]
        writer.add_event(Event(wall_time=seconds, step=one["step"], summary=Summary(value=values)))
    writer.close()
    (name,) = os.listdir(folder)
    with open(os.path.join(folder, name), "rb") as file:
        content = file.read()
# The first record also names the writer (source_metadata), which ours leaves out: what follows is compared.
length = int.from_bytes(content[:8], "little")
print(
    json.dumps(
        {
            "tool": "tensorboard",
            "version": tensorboard.__version__,
            "seconds": seconds,
            "steps": steps,
            "records": content[16 + length :].hex(),
        },
        indent=1,
        ensure_ascii=False,
    )
)
