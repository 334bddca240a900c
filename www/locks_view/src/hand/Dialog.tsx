// SPDX-License-Identifier: GPL-2.0-only
import React, {ReactNode, useEffect, useId, useRef} from 'react';

interface Props {
  title: ReactNode;
  /** It was closed by its person. */
  closed(): void;
  children: ReactNode;
}

/** A dialog of the browser's own: it keeps the focus, Esc closes it, and the focus goes back. */
export function Dialog({title, closed, children}: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const label = useId();
  useEffect(() => {
    const opener = document.activeElement;
    element.current!.showModal();
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) {
        opener.focus();
      }
    };
  }, []);
  return (
    <dialog ref={element} className="bb-locks-dialog" aria-labelledby={label} onClose={closed}>
      <h2 id={label}>{title}</h2>
      {children}
    </dialog>
  );
}
