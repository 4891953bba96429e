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
  tiles: number,
  rows: number,
  columns: number,
  tileStride: number,
  rowStride: number,
  columnStride: number,
): Tiling {
  return { tiles, rows, columns, tileStride, rowStride, columnStride };
}

/** Tiles laid in lines, with gaps between them. */
export interface Sheet {
  tiling: Tiling;
  /** Tiles in a line. */
  across: number;
  /** The sides of a cell and the gap between tiles, in pixels. */
  cellWidth: number;
  cellHeight: number;
  gap: number;
  width: number;
  height: number;
  /** Tiles drawn; fewer than there are where they do not fit. */
  shown: number;
}

/** A lone matrix may have cells that are this much longer than wide. */
const LONGEST = 8;

/** The sheet whose cells are largest within the width and height given. */
export function sheetOf(tiling: Tiling, width: number, height: number, largest = 24): Sheet {
  const { tiles, rows, columns, columnStride, rowStride } = tiling;
  const gap = tiles > 1 ? (rows * columns <= 49 ? 2 : 3) : 0;
  if (tiles === 1 && rowStride === columns && columnStride === 1 && columns !== PICTURE) {
    return stretched(tiling, width, height, largest);
  }
  let best: Sheet | null = null;
  for (let across = 1; across <= tiles; across++) {
    const down = Math.ceil(tiles / across);
    const cell = Math.min(
      largest,
      Math.floor((width - gap * (across - 1)) / (across * columns)),
      Math.floor((height - gap * (down - 1)) / (down * rows)),
    );
    if (cell >= 1 && (!best || cell > best.cellWidth)) {
      best = measured(tiling, across, down, cell, cell, gap, tiles);
    }
  }
  return best ?? cropped(tiling, width, height, gap);
}

function stretched(tiling: Tiling, width: number, height: number, largest: number): Sheet {
  const side = (room: number, count: number) =>
    Math.min(largest, Math.max(1, Math.floor(room / Math.max(1, count))));
  const wide = side(width, tiling.columns),
    tall = side(height, tiling.rows);
  return measured(
    tiling,
    1,
    1,
    Math.min(wide, tall * LONGEST),
    Math.min(tall, wide * LONGEST),
    0,
    1,
  );
}

function cropped(tiling: Tiling, width: number, height: number, gap: number): Sheet {
  const across = Math.max(1, Math.floor((width + gap) / (tiling.columns + gap)));
  const most = Math.max(1, Math.floor((height + gap) / (tiling.rows + gap)));
  const down = Math.min(most, Math.ceil(tiling.tiles / across));
  return measured(tiling, across, down, 1, 1, gap, Math.min(tiling.tiles, across * down));
}

function measured(
  tiling: Tiling,
  across: number,
  down: number,
  cellWidth: number,
  cellHeight: number,
  gap: number,
  shown: number,
): Sheet {
  return {
    tiling,
    across,
    cellWidth,
    cellHeight,
    gap,
    shown,
    width: across * tiling.columns * cellWidth + gap * (across - 1),
    height: down * tiling.rows * cellHeight + gap * (down - 1),
  };
}

/** Where the cell of an element begins, or null where it is not drawn. */
export function cellAt(sheet: Sheet, flat: number): { x: number; y: number } | null {
  const { tiling, across, cellWidth, cellHeight } = sheet;
  const [tile, row, column] = placeOf(tiling, flat);
  if (tile >= sheet.shown) return null;
  const corner = tileAt(sheet, tile % across, Math.floor(tile / across));
  return { x: corner.x + column * cellWidth, y: corner.y + row * cellHeight };
}

/** Where the tile of a column and line of tiles begins. */
export function tileAt(sheet: Sheet, column: number, line: number): { x: number; y: number } {
  const { tiling, cellWidth, cellHeight, gap } = sheet;
  return {
    x: column * (tiling.columns * cellWidth + gap),
    y: line * (tiling.rows * cellHeight + gap),
  };
}

/** The element under a point, or null between tiles. */
export function elementAt(sheet: Sheet, x: number, y: number): number | null {
  const { tiling, across, cellWidth, cellHeight, gap, shown } = sheet;
  const tileX = Math.floor(x / (tiling.columns * cellWidth + gap));
  const tileY = Math.floor(y / (tiling.rows * cellHeight + gap));
  const corner = tileAt(sheet, tileX, tileY);
  const column = Math.floor((x - corner.x) / cellWidth);
  const row = Math.floor((y - corner.y) / cellHeight);
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
