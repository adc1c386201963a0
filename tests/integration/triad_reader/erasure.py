"""FORMATS 4: which sealed blocks a fragment holds, and a lost one from the others."""

from triad_reader.primitives import require

POLYNOMIAL = 0x11D
TAG = 16


def _multiply(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = (a << 1) ^ (POLYNOMIAL if a & 0x80 else 0)
        b >>= 1
    return product


_TABLES = [bytes(_multiply(a, b) for b in range(256)) for a in range(256)]
_INVERSE = [0] + [_TABLES[a].index(1) for a in range(1, 256)]


def _scale(data, factor):
    return data.translate(_TABLES[factor])


def _add(a, b):
    size = max(len(a), len(b))
    a, b = a.ljust(size, b"\0"), b.ljust(size, b"\0")
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(size, "big")


def _coefficients(k, index):
    """The row of the encoding matrix (Cauchy: 1 / (i + j) for parity row i, column j)."""
    if index < k:
        return [int(j == index) for j in range(k)]
    return [_INVERSE[index ^ j] for j in range(k)] if k > 1 else [1]


def _inverted(rows):
    """The inverse of a square matrix over GF(2^8), by elimination."""
    size = len(rows)
    work = [list(row) + [int(i == j) for j in range(size)] for i, row in enumerate(rows)]
    for column in range(size):
        pivot = next(i for i in range(column, size) if work[i][column])
        work[column], work[pivot] = work[pivot], work[column]
        factor = _TABLES[_INVERSE[work[column][column]]]
        work[column] = [factor[value] for value in work[column]]
        for i in range(size):
            if i != column and work[i][column]:
                factor = _TABLES[work[i][column]]
                work[i] = [a ^ factor[b] for a, b in zip(work[i], work[column], strict=True)]
    return [row[size:] for row in work]


class Shape:
    """A sealed chunk: padded bytes in blocks of block_len, each with its tag, over k fragments."""

    def __init__(self, padded, block_len, k):
        require(block_len > 0 and padded > 0 and k > 0, "shape of a chunk")
        self.k, blocks = k, -(-padded // block_len)
        self.sizes = [min(block_len, padded - b * block_len) + TAG for b in range(blocks)]

    def row_sizes(self, index):
        """What fragment index holds of each row of k blocks."""
        rows = [self.sizes[b : b + self.k] for b in range(0, len(self.sizes), self.k)]
        if index >= self.k:
            return [max(row) for row in rows]
        return [row[index] if index < len(row) else 0 for row in rows]

    def fragment_size(self, index):
        return sum(self.row_sizes(index))

    def split(self, index, fragment):
        """The part of each row."""
        require(len(fragment) == self.fragment_size(index), "size of a fragment")
        parts, at = [], 0
        for size in self.row_sizes(index):
            parts.append(fragment[at : at + size])
            at += size
        return parts


def encode(shape, data_fragments, index):
    """Fragment index from the k data fragments."""
    if index < shape.k:
        return data_fragments[index]
    coefficients, out = _coefficients(shape.k, index), b""
    split = [shape.split(j, fragment) for j, fragment in enumerate(data_fragments)]
    for row, size in enumerate(shape.row_sizes(index)):
        total = bytes(size)
        for j in range(shape.k):
            total = _add(total, _scale(split[j][row], coefficients[j]))
        out += total
    return out


def data_blocks(shape, fragments):
    """The sealed blocks in order, from any k fragments {index: bytes}."""
    require(len(fragments) >= shape.k, f"{len(fragments)} fragments of {shape.k} that are needed")
    used = sorted(fragments)[: shape.k]
    matrix = _inverted([_coefficients(shape.k, index) for index in used])
    split = [shape.split(index, fragments[index]) for index in used]
    blocks = []
    for row in range(len(shape.row_sizes(shape.k))):
        for j in range(shape.k):
            size = shape.row_sizes(j)[row]
            total = bytes(size)
            for i, factor in enumerate(matrix[j]):
                if factor:
                    total = _add(total, _scale(split[i][row], factor))
            if size:
                blocks.append(total[:size])
    return blocks
