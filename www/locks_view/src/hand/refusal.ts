// SPDX-License-Identifier: GPL-2.0-only

/** Why something was not done. */
export interface Refusal {
  sentence: string;
  /** The copy is not any more what the person has seen. */
  isStale: boolean;
}

const NO_ANSWER =
  'The master did not answer. It may be done all the same; pressed again, it is not done twice.';

export function refusalOf(reason: any): Refusal {
  const response = reason?.response;
  if (response === undefined) {
    return {sentence: NO_ANSWER, isStale: false};
  }
  const message = response.data?.error?.message;
  return {
    sentence: typeof message === 'string' ? message : `The master failed (${response.status}).`,
    isStale: response.status === 409 || response.status === 404,
  };
}
