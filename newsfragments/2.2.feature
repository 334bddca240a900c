``steps.StepGroup`` runs its steps one after another under locks that it holds from before the first
to after the last, and gives back however it ends.
