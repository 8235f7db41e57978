"""Layers of stride 2 as a CPU is quick at them: the same functions of the same weights, over patches, not pixels.

oneDNN is slow where a layer has three channels or a stride on its way up, and for few output pixels. Over patches a
layer of stride 2 has stride 1 and many channels (Shi et al. 2016, sub-pixel convolution), or is one matrix product.

Shapes: N frames, H W C frame, P side of a patch; a patched picture is [N, H/P, W/P, P·P·C], rows of pixels first.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# Types that hold a pixel's bytes as fewer, larger pieces, by how many bytes they take.
_WIDE = {2: torch.int16, 4: torch.int32, 8: torch.int64}
# Frames whose squared error is taken at a time: what is between stays in the processor's cache.
_FRAMES = 8


def patched(frames: Tensor, side: int) -> Tensor:
    """uint8 [N, H, W, C] -> uint8 [N, H/P, W/P, P·P·C], a copy."""
    n, height, width, channels = frames.shape
    wide = _WIDE.get(side)
    rows = frames.contiguous().reshape(n, height // side, side, width // side, side * channels)
    if wide is not None:
        rows = rows.view(wide)
    moved = rows.transpose(2, 3).contiguous()
    return moved.view(torch.uint8).reshape(n, height // side, width // side, -1)


def unpatched(patches: Tensor, side: int) -> Tensor:
    """[N, H/P, W/P, P·P·C] -> [N, H, W, C], a copy; the way back."""
    n, height, width, size = patches.shape
    rows = patches.unflatten(-1, (side, size // side))
    wide = _WIDE.get(side)
    if wide is not None and patches.dtype == torch.uint8:
        moved = rows.contiguous().view(wide).transpose(2, 3).contiguous().view(torch.uint8)
    else:
        moved = rows.transpose(2, 3)
    return moved.reshape(n, height * side, width * side, -1)


def down_weight(weight: Tensor) -> Tensor:
    """A convolution's weight [O, C, 2K, 2K], stride 2 -> [O, 4·C, K, K], stride 1 over patches of side 2."""
    outputs, inputs, size, _ = weight.shape
    parts = weight.reshape(outputs, inputs, size // 2, 2, size // 2, 2)
    return parts.permute(0, 3, 5, 1, 2, 4).reshape(outputs, 4 * inputs, size // 2, size // 2)


def up_weight(weight: Tensor) -> Tensor:
    """A transposed convolution's weight [C, O, 2K, 2K], stride 2 -> [4·O, C, K, K] of a convolution, padded by K−1,
    that gives patches of side 2."""
    inputs, outputs, size, _ = weight.shape
    parts = weight.reshape(inputs, outputs, size // 2, 2, size // 2, 2).flip(2, 4)
    return parts.permute(3, 5, 1, 0, 2, 4).reshape(4 * outputs, inputs, size // 2, size // 2)


def up_patched_weight(weight: Tensor) -> Tensor:
    """A transposed convolution's weight [C, O, 6, 6], stride 2 -> [16·O, 4·C, 2, 2] of a convolution, padded by 1,
    from patches of side 2 to patches of side 4.

    Pixel 4b + u of the result takes from pixel 2r + p what the weight has at 4(b − r) + u − 2p, where it has anything.
    """
    inputs, outputs = weight.shape[:2]
    u, p, j = torch.meshgrid(torch.arange(4), torch.arange(2), torch.arange(2), indexing="ij")
    tap = (4 * (1 - j) + u - 2 * p).flatten()
    takes = (tap == torch.arange(6)[:, None]).to(weight)  # [6, 16]
    wide = (takes.T @ weight @ takes).view(inputs, outputs, 4, 2, 2, 4, 2, 2)
    return wide.permute(2, 5, 1, 3, 6, 0, 4, 7).reshape(16 * outputs, 4 * inputs, 2, 2)


def doubled_weight(weight: Tensor) -> Tensor:
    """The weight [O, C, 3, 3] of a convolution, padded by 1, of pictures at twice their size, every pixel shown four
    times -> [C, O, 4, 4] of a transposed convolution of the pictures themselves, stride 2, padded by 1.

    A pixel of the result has only 2 × 2 of the small picture's under its 3 × 3: what these share is added up.
    """
    shifted = (F.pad(weight, (left, 1 - left, up, 1 - up)) for left in (0, 1) for up in (0, 1))
    return functools.reduce(torch.add, shifted).flip(2, 3).transpose(0, 1)


class Windows(torch.autograd.Function):
    """The K×K windows of [N, H, W, C], a step of `stride` apart, as rows [N, H', W', K·K·C]: a convolution is then a
    linear layer. Worth it where H' is small; a linear layer is taught twice as fast as a convolution."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int, stride: int) -> Tensor:
        n, height, width, channels = x.shape
        high, wide = (height - size) // stride + 1, (width - size) // stride + 1
        x = x.contiguous()
        row = width * channels
        ctx.shape, ctx.size, ctx.stride = x.shape, size, stride
        strides = (height * row, stride * row, stride * channels, row, 1)
        return x.as_strided((n, high, wide, size, size * channels), strides).reshape(n, high, wide, -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        n, high, wide, _ = gradient.shape
        size, stride = ctx.size, ctx.stride
        parts = gradient.reshape(n, high, wide, size, size, -1)
        total = gradient.new_zeros(ctx.shape)
        for i in range(size):
            for j in range(size):
                total[:, i : i + stride * high : stride, j : j + stride * wide : stride] += parts[:, :, :, i, j]
        return total, None, None


class WindowsTaught(torch.autograd.Function):
    """A convolution, unpadded, of [N, C, H, W] in channels-last memory with a weight [O, C, K, K], whose weight's
    gradient is a product with `Windows`: on a CPU in bfloat16 oneDNN takes twice as long for small pictures."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
        ctx.stride = stride
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias, stride)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        outputs, inputs, size, _ = weight.shape
        of_x = _input_gradient(gradient, x, weight, ctx.stride) if ctx.needs_input_grad[0] else None
        rows = gradient.permute(0, 2, 3, 1).reshape(-1, outputs)
        windows = Windows.apply(x.permute(0, 2, 3, 1), size, ctx.stride).flatten(0, 2)
        of_weight = (rows.t() @ windows).view(outputs, size, size, inputs).permute(0, 3, 1, 2)
        return of_x, of_weight, rows.sum(0), None


def _input_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """What a convolution without padding gives back to its input."""
    wanted = (True, False, False)
    return torch.ops.aten.convolution_backward(  # type: ignore[no-any-return]
        gradient, x, weight, None, (stride, stride), (0, 0), (1, 1), False, (0, 0), 1, wanted
    )[0]


class Grown(torch.autograd.Function):
    """A transposed convolution of [N, C, H, W] in channels-last memory, stride 2, with a weight [C, O, K, K] of odd K.

    Forward four small convolutions, backward two products with `Windows`. On a CPU in bfloat16 oneDNN takes two to
    three times as long for a kernel of 5.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return grown(x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        inputs, outputs, size, _ = weight.shape
        windows = Windows.apply(gradient.permute(0, 2, 3, 1), size, 2)
        of_x = windows @ weight.permute(2, 3, 1, 0).reshape(-1, inputs)
        rows = x.permute(0, 2, 3, 1).reshape(-1, inputs)
        of_weight = (rows.t() @ windows.flatten(0, 2)).view(inputs, size, size, outputs)
        return of_x.permute(0, 3, 1, 2), of_weight.permute(0, 3, 1, 2)


def grown(x: Tensor, weight: Tensor) -> Tensor:
    """The transposed convolution, stride 2, of [N, C, H, W] in channels-last memory by a weight [C, O, K, K], K odd:
    [N, O, 2H + K − 2, 2W + K − 2].

    Its even and its odd rows and columns are each a convolution by every second entry of the kernel.
    """
    (n, _, height, width), outputs, size = x.shape, weight.shape[1], weight.shape[-1]
    shape = (n, outputs, 2 * height + size - 2, 2 * width + size - 2)
    shown = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    turned = weight.flip(2, 3).transpose(0, 1)
    for i in range(2):
        for j in range(2):
            part = turned[:, :, i::2, j::2].contiguous(memory_format=torch.channels_last)
            # Turned, an odd kernel begins and ends with what is even.
            shown[:, :, i::2, j::2] = F.conv2d(x, part, padding=(part.shape[2] - 1, part.shape[3] - 1))
    return shown


class PaintError(torch.autograd.Function):
    """Σ w · (x − t / 255)² over each frame, float32 [N], of x [N, ...], or its sigmoid, and t uint8 [N, ...].

    w: uint8 [N, ...], 1 where it is None. Error and gradient in one visit: the frames are larger than a processor's
    cache.
    """

    @staticmethod
    def forward(ctx: Any, painted: Tensor, target: Tensor, squash: bool, weights: Tensor | None = None) -> Tensor:
        gradient = torch.empty_like(painted)
        total = torch.empty(len(painted), device=painted.device)
        step = _FRAMES if painted.device.type == "cpu" else max(1, len(painted))
        for start in range(0, len(painted), step):
            here = slice(start, start + step)
            shown = torch.sigmoid(painted[here].float()) if squash else painted[here]
            missed = target[here].float().mul_(-1.0 / 255.0).add_(shown)
            if weights is None:
                total[here] = missed.square().flatten(1).sum(-1)
            else:
                plain, missed = missed, missed * weights[here]
                total[here] = (plain * missed).flatten(1).sum(-1)
            if squash:
                missed.mul_(shown.mul_(1.0 - shown))  # sigmoid's own slope
            gradient[here] = missed.mul_(2.0)
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        weight = gradients[0].to(gradient.dtype)
        return gradient * weight.reshape(-1, *([1] * (gradient.ndim - 1))), None, None, None
