// SPDX-License-Identifier: GPL-2.0-only
import {observable, runInAction} from 'mobx';
import {createContext} from 'react';

export const clock = observable({now: 1_000_000});

export function tick(seconds: number) {
  runInAction(() => {
    clock.now += seconds;
  });
}

export const useCurrentTime = () => clock.now;

export const useTopbarItems = () => undefined;

export class Topbar {
  shown = observable.box<any[]>([], {deep: false});

  get actions() {
    return this.shown.get();
  }

  setActions(actions: any[]) {
    runInAction(() => this.shown.set(actions));
  }
}

export const TopbarContext = createContext<any>(undefined);

export const ConfigContext = createContext<any>(undefined);
