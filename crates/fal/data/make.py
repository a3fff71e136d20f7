"""Writes the 8x8 handwritten digits of scikit-learn (UCI Optical Recognition of Handwritten Digits, test part) as idx.gz.

Run ``python make.py FOLDER`` (needs scikit-learn).
"""

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

UNSIGNED_BYTES = 8


def write(path, array):
    """An idx file: two zero bytes, the type, the number of dimensions, the dimensions, the values."""
    header = struct.pack(">HBB", 0, UNSIGNED_BYTES, array.ndim)
    header += b"".join(struct.pack(">I", length) for length in array.shape)
    # Without the time in its header, the file is the same each time.
    with open(path, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0, compresslevel=9) as packed:
        packed.write(header + array.astype(np.uint8).tobytes())


def main():
    folder, digits = Path(sys.argv[1]), load_digits()
    write(folder / "digits-images-idx3-ubyte.gz", digits.images)
    write(folder / "digits-labels-idx1-ubyte.gz", digits.target)


if __name__ == "__main__":
    main()
