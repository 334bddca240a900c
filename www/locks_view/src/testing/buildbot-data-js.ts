// SPDX-License-Identifier: GPL-2.0-only
import {createContext} from 'react';

export const DataClientContext = createContext<any>(undefined);

export const getBaseUrl = (_: Location, route: string) => `http://localhost/${route}`;
