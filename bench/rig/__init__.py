"""What measuring needs: operators, fake kubelets, load, and their costs."""
