// SPDX-License-Identifier: GPL-2.0-only
import {Request} from 'buildbot-data-js';

/**
 * One question, asked whenever the answer may have changed: never twice at a time, and not before
 * a pause after the answer, however often a change is heard of. The last change is never missed.
 */
export class Asker<T> {
  private request: Request<T> | null = null;
  private pause: ReturnType<typeof setTimeout> | null = null;
  private stale = false;
  private closed = false;

  constructor(
    private question: () => Request<T>,
    private told: (answer: T) => void,
    private failed: (reason: any) => void,
    private milliseconds: number,
  ) {}

  ask() {
    if (this.request !== null || this.pause !== null) {
      this.stale = true;
      return;
    }
    this.stale = false;
    this.request = this.question();
    this.request.then(
      answer => this.end(() => this.told(answer)),
      reason => this.end(() => this.failed(reason)),
    );
  }

  close() {
    this.closed = true;
    this.request?.cancel();
    if (this.pause !== null) {
      clearTimeout(this.pause);
    }
  }

  private end(tell: () => void) {
    this.request = null;
    if (this.closed) {
      return;
    }
    this.pause = setTimeout(() => {
      this.pause = null;
      if (this.stale) {
        this.ask();
      }
    }, this.milliseconds);
    tell();
  }
}
