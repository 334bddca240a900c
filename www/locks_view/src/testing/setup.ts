// SPDX-License-Identifier: GPL-2.0-only
import {cleanup, configure} from '@testing-library/react';
import {afterEach} from 'vitest';

configure({asyncUtilTimeout: 5000});
afterEach(cleanup);

// jsdom has neither
window.matchMedia = query =>
  ({
    matches: false,
    media: query,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }) as unknown as MediaQueryList;

Object.assign(HTMLDialogElement.prototype, {
  showModal(this: HTMLDialogElement) {
    this.open = true;
  },
});
