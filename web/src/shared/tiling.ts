/** How an array of any shape becomes rectangles of cells. */

/** Tiles of rows × columns; an element's place in the array is a sum of strides. */
export interface Tiling {
  tiles: number;
  rows: number;
  columns: number;
  tileStride: number;
  rowStride: number;
  columnStride: number;
}

const PICTURE = 28;
const PIXELS = PICTURE * PICTURE;
const WRAP = 32;

/**
 * A vector is a row, a matrix a rectangle, more dimensions are a row of matrices. A dimension of
 * 784 is a picture of 28 × 28.
 */
export function tilingOf(shape: readonly number[]): Tiling {
  const last = shape.at(-1) ?? 1;
  const size = shape.reduce((product, each) => product * each, 1);
  if (last === PIXELS) {
    return strided(size / PIXELS, PICTURE, PICTURE, PIXELS, PICTURE, 1);
  }
  if (shape.length === 2 && shape[0] === PIXELS) {
    return strided(last, PICTURE, PICTURE, 1, PICTURE * last, last);
  }
  if (shape.length < 2) {
    const columns = size <= 2 * WRAP ? size : Math.max(WRAP, Math.ceil(Math.sqrt(size)));
    return strided(1, Math.ceil(size / (columns || 1)), columns, size, columns, 1);
  }
  const rows = shape.at(-2)!;
  return strided(size / (rows * last || 1), rows, last, rows * last, last, 1);
}

function strided(
  tiles: number, rows: number, columns: number,
  tileStride: number, rowStride: number, columnStride: number,
): Tiling {
  return { tiles, rows, columns, tileStride, rowStride, columnStride };
}

/** Tiles laid in lines, in cells, a gap of one cell's width at least between them. */
export interface Sheet {
  tiling: Tiling;
  /** Tiles in a line, and lines. */
  across: number;
  down: number;
  /** The side of a cell and the gap between tiles, in pixels. */
  cell: number;
  gap: number;
  width: number;
  height: number;
  /** Tiles drawn; fewer than there are where they do not fit. */
  shown: number;
}

/** The sheet whose cells are largest within the width and height given. */
export function sheetOf(tiling: Tiling, width: number, height: number, largest = 24): Sheet {
  const { tiles, rows, columns } = tiling;
  const gap = tiles > 1 ? (rows * columns <= 49 ? 2 : 3) : 0;
  let best: Sheet | null = null;
  for (let across = 1; across <= tiles; across++) {
    const down = Math.ceil(tiles / across);
    const cell = Math.min(
      largest,
      Math.floor((width - gap * (across - 1)) / (across * columns)),
      Math.floor((height - gap * (down - 1)) / (down * rows)),
    );
    if (cell >= 1 && (!best || cell > best.cell)) {
      best = measured({ tiling, across, down, cell, gap, width: 0, height: 0, shown: tiles });
    }
  }
  return best ?? cropped(tiling, width, height, gap);
}

function cropped(tiling: Tiling, width: number, height: number, gap: number): Sheet {
  const across = Math.max(1, Math.floor((width + gap) / (tiling.columns + gap)));
  const most = Math.max(1, Math.floor((height + gap) / (tiling.rows + gap)));
  const down = Math.min(most, Math.ceil(tiling.tiles / across));
  const shown = Math.min(tiling.tiles, across * down);
  return measured({ tiling, across, down, cell: 1, gap, width: 0, height: 0, shown });
}

function measured(sheet: Sheet): Sheet {
  const { tiling, across, down, cell, gap } = sheet;
  sheet.width = across * tiling.columns * cell + gap * (across - 1);
  sheet.height = down * tiling.rows * cell + gap * (down - 1);
  return sheet;
}

/** Where the cell of an element begins, or null where it is not drawn. */
export function cellAt(sheet: Sheet, flat: number): { x: number; y: number } | null {
  const { tiling, across, cell, gap } = sheet;
  const [tile, row, column] = placeOf(tiling, flat);
  if (tile >= sheet.shown) return null;
  return {
    x: (tile % across) * (tiling.columns * cell + gap) + column * cell,
    y: Math.floor(tile / across) * (tiling.rows * cell + gap) + row * cell,
  };
}

/** The element under a point, or null between tiles. */
export function elementAt(sheet: Sheet, x: number, y: number): number | null {
  const { tiling, across, cell, gap, shown } = sheet;
  const pitchX = tiling.columns * cell + gap, pitchY = tiling.rows * cell + gap;
  const tileX = Math.floor(x / pitchX), tileY = Math.floor(y / pitchY);
  const column = Math.floor((x - tileX * pitchX) / cell);
  const row = Math.floor((y - tileY * pitchY) / cell);
  const tile = tileY * across + tileX;
  if (x < 0 || y < 0 || tileX >= across || tile >= shown) return null;
  if (column >= tiling.columns || row >= tiling.rows) return null;
  return flatAt(tiling, tile, row, column);
}

export function flatAt(tiling: Tiling, tile: number, row: number, column: number): number {
  return tile * tiling.tileStride + row * tiling.rowStride + column * tiling.columnStride;
}

/** The tile, row and column of an element. */
export function placeOf(tiling: Tiling, flat: number): [number, number, number] {
  const { tiles, tileStride, rowStride, columnStride, columns } = tiling;
  if (tiles > 1 && tileStride < columnStride) {
    const pixel = Math.floor(flat / columnStride);
    return [flat % columnStride, Math.floor(pixel / columns), pixel % columns];
  }
  const within = tiles > 1 ? flat % tileStride : flat;
  const tile = tiles > 1 ? Math.floor(flat / tileStride) : 0;
  return [tile, Math.floor(within / rowStride), (within % rowStride) / columnStride];
}
