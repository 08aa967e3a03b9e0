"""Writes golden.tfevents beside this file with tensorboard 2.21 (pip install tensorboard==2.21.0)."""

from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


def scalars(wall_time, step, numbers):
    values = [Summary.Value(tag=tag, simple_value=number) for tag, number in numbers]
    return Event(wall_time=wall_time, step=step, summary=Summary(value=values))


with open(Path(__file__).with_name("golden.tfevents"), "wb") as file:
    writer = RecordWriter(file)
    events = [
        Event(wall_time=1.5, file_version="brain.Event:2"),
        scalars(2.5, 3, [("reward", 0.25), ("seconds/sample", 1.5)]),
        scalars(1e9, 300_000, [("a" * 200, -1e-3)]),
    ]
    for event in events:
        writer.write(event.SerializeToString())
    writer.flush()
