// SPDX-License-Identifier: GPL-2.0-only

const NO_ANSWER =
  'The master did not answer. It may be done all the same. You can press again: nothing is done twice.';

/** Why something was not done, in a sentence. */
export function refusalOf(reason: any): string {
  const response = reason?.response;
  if (response === undefined) {
    return NO_ANSWER;
  }
  const message = response.data?.error?.message;
  return typeof message === 'string' ? message : `The master failed (${response.status}).`;
}
