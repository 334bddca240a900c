// SPDX-License-Identifier: GPL-2.0-only
import {createContext} from 'react';

export const DataClientContext = createContext<any>(undefined);
