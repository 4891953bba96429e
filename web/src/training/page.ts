/** What Python puts into a page: `app/drawing.py` and `app/training_report.py`. */

import type { ModelData, Packed } from "./model";

export interface DrawingData {
  title: string;
  /** Where the model is from. */
  source: string;
  model: ModelData;
  samples: { labels: number[]; pixels: Packed };
  made: Record<string, string>;
}

export interface TrainingData extends DrawingData {
  state: {
    kind: "training" | "complete" | "interrupted" | "failed";
    told: string;
    /** Of the latest epoch. */
    seconds: number | null;
    written: string;
  };
  settings: Record<string, string | number | boolean>;
  data: { description: string; train: number; valid: number; test: number };
  machine: Record<string, string | number | null>;
  command: string;
  history: Epoch[];
  batches: { epochs: number[]; means: number[]; least: number[]; most: number[] };
  moments: Moments | null;
  confusion: Confusion | null;
}

export type Page =
  | ({ what: "drawing" } & DrawingData)
  | ({ what: "training" } & TrainingData);

export interface Epoch {
  epoch: number;
  train_loss: number | null;
  train_accuracy: number | null;
  valid_loss: number | null;
  valid_accuracy: number | null;
  seconds: number;
}

export interface Moments {
  titles: string[];
  parameter: string;
  of: number[];
  /** Digits over which the loss and its gradients were taken. */
  digits: number;
  steps: number[];
  epochs: number[];
  losses: number[];
  weight_scale: number;
  weights: Packed;
  gradient_scales: number[];
  gradients: Packed;
}

export interface Confusion {
  counts: number[][];
  mistakes: { digit: number; taken: number; shares: number[] }[];
  pictures: Packed;
}
