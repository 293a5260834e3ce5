// part of other kernels: Convolutions as products: patches of images as columns.
import { addRow } from "./rows.as";

/**
 * Patches of images: cols[(b, oy, ox), (ky, kx, c)] = x[b, oy * stride + ky - top, ox * stride + kx - left, c],
 * 0 outside.
 */
export function patches(
  images: i32,
  high: i32,
  wide: i32,
  channels: i32,
  outHigh: i32,
  outWide: i32,
  kernelHigh: i32,
  kernelWide: i32,
  strideY: i32,
  strideX: i32,
  top: i32,
  left: i32,
  x: usize,
  cols: usize,
): void {
  const bytes = (<usize>channels) << 2;
  for (let b = 0; b < images; b++)
    for (let oy = 0; oy < outHigh; oy++)
      for (let ox = 0; ox < outWide; ox++)
        for (let ky = 0; ky < kernelHigh; ky++) {
          const y = oy * strideY + ky - top;
          for (let kx = 0; kx < kernelWide; kx++) {
            const at = ox * strideX + kx - left;
            if (y >= 0 && y < high && at >= 0 && at < wide)
              memory.copy(cols, x + <usize>((b * high + y) * wide + at) * bytes, bytes);
            else memory.fill(cols, 0, bytes);
            cols += bytes;
          }
        }
}

/** The gradient of `patches`: adds the columns back to where they came from. */
export function patchesBack(
  images: i32,
  high: i32,
  wide: i32,
  channels: i32,
  outHigh: i32,
  outWide: i32,
  kernelHigh: i32,
  kernelWide: i32,
  strideY: i32,
  strideX: i32,
  top: i32,
  left: i32,
  cols: usize,
  dx: usize,
): void {
  const bytes = (<usize>channels) << 2;
  memory.fill(dx, 0, <usize>(images * high * wide) * bytes);
  for (let b = 0; b < images; b++)
    for (let oy = 0; oy < outHigh; oy++)
      for (let ox = 0; ox < outWide; ox++)
        for (let ky = 0; ky < kernelHigh; ky++) {
          const y = oy * strideY + ky - top;
          for (let kx = 0; kx < kernelWide; kx++) {
            const at = ox * strideX + kx - left;
            if (y >= 0 && y < high && at >= 0 && at < wide)
              addRow(channels, dx + <usize>((b * high + y) * wide + at) * bytes, cols);
            cols += bytes;
          }
        }
}
