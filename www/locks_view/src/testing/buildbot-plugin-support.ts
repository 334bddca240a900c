// SPDX-License-Identifier: GPL-2.0-only
export const settings: Record<string, string | number> = {
  'Locks.page_size': 50,
  'Locks.colours': 'as the browser asks',
};

export function buildbotGetSettings() {
  return {
    getIntegerSetting: (name: string) => settings[name],
    getChoiceComboSetting: (name: string) => settings[name],
  };
}
