// SPDX-License-Identifier: GPL-2.0-only
// What this plugin uses of Buildbot's page, which has these modules as globals and no package.

declare module 'buildbot-data-js' {
  import {Context} from 'react';

  export interface Request<T> extends Promise<T> {
    cancel(): void;
  }
  export interface RestClient {
    get(path: string, query?: Record<string, unknown>): Request<any>;
  }
  export interface Stream {
    subscribe(listener: (event: {k: string; m: any}) => void): () => void;
  }
  export interface WebSocketClient {
    eventStream: Stream;
    subscribe(path: string, subscriber: object): Promise<void>;
    unsubscribe(path: string, subscriber: object): Promise<void>;
  }
  export interface DataClient {
    restClient: RestClient;
    webSocketClient: WebSocketClient;
    control(endpoint: string, method: string, params: object): Request<any>;
  }
  export const DataClientContext: Context<DataClient>;
  export function getBaseUrl(location: Location, route?: string): string;
}

declare module 'buildbot-ui' {
  import {Context} from 'react';

  export interface TopbarItem {
    caption: string;
    route: string | null;
  }
  export interface TopbarAction {
    caption: string;
    help?: string;
    action(): void;
  }
  export interface TopbarStore {
    actions: TopbarAction[];
    setActions(actions: TopbarAction[]): void;
  }
  export const TopbarContext: Context<TopbarStore>;
  export interface Config {
    auth: {name: string};
    user: {anonymous: boolean; email?: string; username?: string; full_name?: string};
    handForAnonymous?: boolean;
  }
  export const ConfigContext: Context<Config>;
  export function useTopbarItems(items: TopbarItem[]): void;
  export function useCurrentTime(): number;
}

declare module 'buildbot-plugin-support' {
  export interface Registrations {
    registerMenuGroup(group: {
      name: string;
      parentName: string | null;
      caption: string;
      icon?: JSX.Element;
      order: number | null;
      route: string | null;
    }): void;
    registerRoute(route: {route: string; group: string | null; element(): JSX.Element}): void;
    registerSettingGroup(group: {
      name: string;
      caption: string | null;
      items: {
        name: string;
        type: 'integer' | 'choice_combo';
        caption: string;
        choices?: string[];
        defaultValue: string | number;
      }[];
    }): void;
  }
  export function buildbotSetupPlugin(callback: (registrations: Registrations) => void): void;
  export function buildbotGetSettings(): {
    getIntegerSetting(name: string): number;
    getChoiceComboSetting(name: string): string;
  };
}
