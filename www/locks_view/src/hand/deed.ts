// SPDX-License-Identifier: GPL-2.0-only
import {ComponentType} from 'react';
import {Target} from './target';

/** What is asked of a person before something is done. */
export interface Field<V = any> {
  name: string;
  first(now: number): V;
  /** What is wrong with it, in a sentence; null if nothing is. */
  fault(value: V, now: number): string | null;
  params(value: V): Record<string, unknown>;
  /** Which copy is meant, if the field says so. */
  aim?(target: Target, value: V): Target;
  Input: ComponentType<InputProps<V>>;
}

export interface InputProps<V> {
  value: V;
  change(value: V): void;
  fault: string | null;
}

/** Something that a person can do to a copy, once it is known what is asked of the person. */
export interface Deed {
  method: string;
  /** What the buttons say. */
  verb: string;
  /** To whom or what it is done. */
  object: string;
  target: Target;
  /** What will happen, in a sentence or two. */
  effect: string;
  fields: Field[];
  params: Record<string, unknown>;
  /** What is said when it is done, behind what was done and to whom. */
  done(answer: any): string;
}
